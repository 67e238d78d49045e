"""The console: a web page and an API that show what Followspot hears and let a hand at its parameters."""
