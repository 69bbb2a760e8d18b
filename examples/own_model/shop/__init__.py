"""Whatever a card of this project names beside Runcard's own."""
