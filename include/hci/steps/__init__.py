"""The steps of an update, each one observing, deciding and acting, and the engine that runs a step."""
