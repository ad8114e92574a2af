"""The fit of a head to the evidence about one face."""
