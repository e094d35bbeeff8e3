//! What is wrong on the wire of a WebSocket, and what is right, cut anywhere.
