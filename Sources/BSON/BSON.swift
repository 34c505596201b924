// BSON
