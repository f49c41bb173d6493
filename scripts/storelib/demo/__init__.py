"""What the planted retailer of the demo is made of."""
