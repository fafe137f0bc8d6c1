"""Between our parameter names and published ones, both ways and without loss."""
