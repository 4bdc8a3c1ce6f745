"""The post's page: a live map drawn from the city's own streets, and what the post does. It only shows."""
