/// A public key on P-256, whose private half nobody has kept.
enum ForeignKeys {
  static let p256 = """
    -----BEGIN PUBLIC KEY-----
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEVjsopqFz2fLmiMqccJRfmPyExa8x
    qzSIEHiGvl41rdrB7uPyWDbNnAv5RahEjos39lRZBjy4O1GAbJ8QRQwqYw==
    -----END PUBLIC KEY-----
    """
}
