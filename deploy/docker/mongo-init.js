// Initiates the one-member replica set rs0 unless that was done before, then waits for its primary (at most 60 s).
try {
  rs.status();
} catch (error) {
  if (error.codeName !== "NotYetInitialized") throw error;
  rs.initiate({ _id: "rs0", members: [{ _id: 0, host: "mongo:27017" }] });
}
const deadline = Date.now() + 60_000;
while (!db.hello().isWritablePrimary) {
  if (Date.now() > deadline) throw new Error("rs0 has no primary after 60 s");
  sleep(200);
}
print("rs0 has a primary");
