"""Real servers for tests, without containers: Kafka, Cassandra and Postgres on loopback, as often as a test wants."""
