"""The paper-trading platform: four services, the paper venue, and the code that the services share."""
