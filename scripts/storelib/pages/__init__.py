"""What people look at: words, charts, maps, flows, the report and workbooks."""
