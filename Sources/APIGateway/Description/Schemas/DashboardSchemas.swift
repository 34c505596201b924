extension Schema {
  private static let date = string(format: "date")
  private static let share = number(in: 0...1)

  static let dashboard = named(
    "Dashboard",
    object([
      .required("totalCustomers", count.described("Leads")), .required("customerSegments", count),
      .required("activeCampaigns", count.described("Campaigns that are RUNNING or PAUSED")),
      .required(
        "deliveryRate", share.described("Delivered and read messages of those that were sent, of the days shown")),
      .required(
        "messagesByDay",
        array(
          of: object([
            .required("date", date), .required("audience", count), .required("sent", count),
            .required("delivered", count.described("Read ones among them")), .required("failed", count),
          ])
        ).described("Of the runs that began on each of the last 30 days (UTC), oldest first")),
      .required(
        "leadGrowth",
        array(of: object([.required("date", date), .required("new", count), .required("total", count)]))
          .described("Of the leads that are there now: how many each day brought")),
      .required(
        "recentActivity",
        array(
          of: object([
            .required("at", timestamp), .required("action", string), .required("resource", nullable(string)),
            .required("resource_id", nullable(string)),
          ])
        ).described("The latest writes that succeeded, newest first; who made them is in the audit log")),
    ]))
}
