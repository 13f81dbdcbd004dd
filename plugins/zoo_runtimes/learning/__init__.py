"""Networks with gradients: teachers that are frozen, and students with a new head."""
