"""How metrics get from the services to Prometheus."""
