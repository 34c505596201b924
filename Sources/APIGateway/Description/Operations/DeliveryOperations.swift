extension Operation {
  static let receiveReceipts = Operation(
    "Take receipts from a vendor",
    "Signed by the Standard Webhooks scheme. 202 means that the broker has every one of them; anything else: sign and send again. "
      + "A signed request that has been carried out is refused when it comes again as it was.",
    headers: .webhookSignature, body: .json(.receipts(atMost: ReceiptHandlers.batchLimit)),
    answers: [
      .data(.object([.required("accepted", .count)]), status: 202, "Every receipt is at the broker")
    ],
    problems: [.invalidSignature, .replayedWebhook])

  static let getDeliveryStatus = Operation("Tell whether receipts are taken", answers: [.data(.deliveryStatus)])
}
