"""What comes next, and what is out of the ordinary: forecasts, anomalies, movers, savings, alerts."""
