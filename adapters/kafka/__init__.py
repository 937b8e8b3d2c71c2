"""Production's logs on Kafka: the event log and the experience log, two topics with the same partitions."""
