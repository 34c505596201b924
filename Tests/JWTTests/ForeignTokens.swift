/// Keys and tokens that another implementation made (PyJWT 2.6.0 on python3-cryptography 38), so that ours is not its
/// own only judge. All tokens say the same: `https://id.example` for `minicrm`, of `ana`, from 2026-01-01 for an hour.
enum ForeignTokens {
  /// 2026-01-01T00:00:00Z, when they were issued.
  static let issuedAt: Int64 = 1_767_225_600
  static let secret = "0123456789abcdef0123456789abcdef"

  static let rsaPublic = """
    -----BEGIN PUBLIC KEY-----
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAolSz2sKtClAMtVKjHsvh
    pqvM4uaoVsCosas4CNzETFtO+YKVuu0JIqrPzLw63PSdIxM/gKGEvjw86SvsadCN
    OXn6dmS2VAsLjsNBxu+whI9+JB0lu1j9qlN1K0lHFtDU8pzp+9yCpf7sALdq5cE3
    z8KHqo+sTqXeRa3hV+jp3JMk5cBTl342GKEusiOZrnGMLcekQ0IksSbXIgW6bbm1
    yUSUjcPfCKClTNelbXn1HiIVPyvglTme1QSNKTF1/XHXHHHaVcHnXCQAWHdAF8GL
    /vH9pUv9OkY+cmIL/qzQ5/LM+diLXUJJGEiGLumXjLCaHomdHuGx4oz8asBzU1Yz
    gwIDAQAB
    -----END PUBLIC KEY-----
    """

  static let p256Public = """
    -----BEGIN PUBLIC KEY-----
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEVjsopqFz2fLmiMqccJRfmPyExa8x
    qzSIEHiGvl41rdrB7uPyWDbNnAv5RahEjos39lRZBjy4O1GAbJ8QRQwqYw==
    -----END PUBLIC KEY-----
    """

  static let rsa1024Public = """
    -----BEGIN PUBLIC KEY-----
    MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC9NSWXbN5s4t+9aSw6x2H13c3L
    zSEZ6SbOYz0gR2tA9YTOfiOQfInh4wa8vuI7c1Bp59j5WRFfbwfdUtDE7QJCL+2p
    2CK1ZjWFD9TVKd9lRfGbC96zxieBLB8Luzhhoo4ypmX63Iaf0S7XFBKCOcNV2o8B
    0Vk7o0wVA95eRi6xiQIDAQAB
    -----END PUBLIC KEY-----
    """

  static let p384Public = """
    -----BEGIN PUBLIC KEY-----
    MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEa2G72wHIJGEq8SvZNNh0h3C923VLEpQg
    EGRgP32e3s0300Qr1MY1/7w6NfzOxUuhBUvUBI8Lu8F3eCvf7Rs8w6Y5mR133S/2
    ko6Mc3Kz6PiFWKk/+hD9kRVv4yYIIZdA
    -----END PUBLIC KEY-----
    """

  static let rs256 =
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIiwidHlwIjoiYXQrand0In0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQi"
    + "OiJtaW5pY3JtIiwic3ViIjoiYW5hIiwicm9sZSI6ImFuYWx5c3QiLCJpYXQiOjE3NjcyMjU2MDAsIm5iZiI6MTc2NzIyNTYwMCwi"
    + "ZXhwIjoxNzY3MjI5MjAwfQ.cmuK6QaE3L8mZT__1_x0CMuHuppFcAj5_rTZZrYvG4_a2sWoIaymPQ3eqFCm-D9xZ2VXJs-ZG6eTK"
    + "XZiStexNhasLiiUcuDqddcRWhWd1nh3xVnKXtEYWnJuNYsy8TKzZZu0oJDL1eTI65p5yBujxWzeqPDtY6gBYalY1OlfJli9CXdS-"
    + "VywKRA9QNGBx-YFUcsIgiOFMTyPL_Nx-Fw2qzeIOHtnADx3wrg45rAzT_AVV8NJegUDxm1A92uFcPOmdKWR7-EFTyCEvdCKCOhIg"
    + "_WRmkOoKkSJAfGSjRdizUIa_q44UUgCOCym7BLvP4b5LZ0dldAU4TSpZbebaGcnpg"

  static let es256 =
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJtaW5pY3JtIiw"
    + "ic3ViIjoiYW5hIiwicm9sZSI6ImFuYWx5c3QiLCJpYXQiOjE3NjcyMjU2MDAsIm5iZiI6MTc2NzIyNTYwMCwiZXhwIjoxNzY3MjI"
    + "5MjAwfQ.K6uLodZWSU1jYmQUpjnwd6A1Sj0Y41yJ9KaVMf9CjgKvuHFQX55KlDqiVUFPEyqrMt4NkYustLO2qat7pRYw-w"

  static let hs256 =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJtaW5pY3JtIiw"
    + "ic3ViIjoiYW5hIiwicm9sZSI6ImFuYWx5c3QiLCJpYXQiOjE3NjcyMjU2MDAsIm5iZiI6MTc2NzIyNTYwMCwiZXhwIjoxNzY3MjI"
    + "5MjAwfQ.4zEbBPO4CIf8Rq2jFssFDqCnDV_vjqKdiy6DnbWzNks"
}
