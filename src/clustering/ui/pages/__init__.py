"""The pages, a module each: what it shows, and `ROUTES`, its addresses."""
