/// Everything that a run has found.
struct Results: Sendable {
  let options: Options
  let machine: Machine
  let versions: Versions
  /// In devstack's words.
  let broker: String
  var bulk: StoreResult?
  var floor: StoreResult?
  var campaign: CampaignResult?
  var receipts: ReceiptResult?
  var checks = Checks()

  init(options: Options, machine: Machine, versions: Versions, broker: String) {
    self.options = options
    self.machine = machine
    self.versions = versions
    self.broker = broker
  }

  /// Sends of the campaign that went to the vendor.
  var messages: Int { campaign?.messages ?? 0 }

  /// Bulk leads/s as a share of the floor.
  var bulkRatio: Double? {
    guard let bulk, let floor else { return nil }
    return bulk.perSecond / floor.perSecond
  }
}
