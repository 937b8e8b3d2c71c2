"""A Kafka broker for tests, and the pom.xml that pins its jars."""
