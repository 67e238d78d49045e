"""Audio mosaics: one recording played with the sounds of another."""
