"""Playing along with somebody whom the score follower follows."""
