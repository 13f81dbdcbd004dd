"""Why a classifier knows what of a class that it never saw (Geng et al., Semantic Web, 2021)."""
