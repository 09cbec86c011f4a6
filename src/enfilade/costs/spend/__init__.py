"""Who spent what: roll-ups, reports, exports, forecasts and anomalies."""
