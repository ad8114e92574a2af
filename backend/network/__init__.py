"""The residual network that reads a face crop: its layout, weights and prediction."""
