"""Presets that come along, as TOML files."""
