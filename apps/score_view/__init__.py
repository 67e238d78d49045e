"""The score on a web page, with what is being played on it."""
