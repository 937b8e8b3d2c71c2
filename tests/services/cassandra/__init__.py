"""A Cassandra node for tests, and the pom.xml that pins its jars."""
