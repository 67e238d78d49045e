"""Synchronisation of whole recordings and scores: features, and time warping in bounded memory."""
