"""Checks of what is deployed: the chart, the images, the rules of Prometheus, the dashboards."""
