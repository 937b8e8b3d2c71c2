"""Ways to run the cold half on a Spark cluster."""
