"""Tables of users: read and written in the formats that they have, their values unchanged."""
