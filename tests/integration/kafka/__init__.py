"""What the Kafka adapters do beyond their contracts: rebalances, outages, deaths, and who is told what."""
