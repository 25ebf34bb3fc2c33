"""Where alerts go beside their topic: Alertmanager and webhooks. A sink that fails delays no other and no lane."""
