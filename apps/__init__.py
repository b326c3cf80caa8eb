"""The paper-trading platform: four services that share a catalogue of metrics and the market's state."""
