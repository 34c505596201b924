extension Operation {
  static let listAudience = Operation(
    "List a run's frozen audience, chunk by chunk", query: .paging() + [.run], answers: [.page(of: .audienceChunk)])

  static let explainAudienceMember = Operation(
    "Tell why a lead is in a run's audience, or that it is not", query: [.run], answers: [.data(.audienceMember)])

  static let verifyAudience = Operation(
    "Compare a run's audience with the fingerprint that its freezing left", query: [.run],
    body: .json(.nothing, required: false), answers: [.data(.audienceCheck)], problems: [.tooSlow])
}
