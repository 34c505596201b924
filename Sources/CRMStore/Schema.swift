import BSON
import CRMCore
import Mongo

/// What a collection demands of its documents, and what it can be searched by. Declared here and nowhere else.
struct CollectionSchema: Sendable {
  let name: String
  let validator: BSONDocument
  let indexes: [IndexModel]
  /// Names of indexes of earlier versions in whose place others have come.
  var supersededIndexes: [String] = []
}

extension Store {
  /// Creates what is missing and brings validators up to date; safe to run from many processes at once.
  public func ensureSchema() async throws {
    try await mongo.withConnection { connection in
      for schema in Store.schemas {
        try connection.ensureCollection(schema.name, validator: schema.validator)
        if !schema.indexes.isEmpty { try connection.createIndexes(schema.name, schema.indexes) }
        try connection.dropIndexes(schema.supersededIndexes, of: schema.name)
      }
    }
    try await beginOrderTotals()
  }

  static let schemas: [CollectionSchema] = [
    CollectionSchema(
      name: Collections.leads,
      validator: object(
        required: [
          "name", "emails", "phones", "tags", "total_spend", "visits", "metadata", "created_at", "updated_at",
        ],
        [
          "name": ["bsonType": "string"],
          "emails": ["bsonType": "array", "minItems": 1, "items": ["bsonType": "string"]],
          "phones": ["bsonType": "array", "items": ["bsonType": "string"]],
          "tags": ["bsonType": "array", "items": ["bsonType": "string"]],
          "total_spend": ["bsonType": "number"], "visits": ["bsonType": "number"],
          "last_order_at": ["bsonType": "date"], "metadata": ["bsonType": "object"],
          "opted_out": ["bsonType": "object"], "order_totals": ["bsonType": "object"],
          "created_at": ["bsonType": "date"], "updated_at": ["bsonType": "date"],
        ]),
      indexes: [
        IndexModel(keys: ["emails": 1], name: "emails_unique", unique: true),
        IndexModel(keys: ["total_spend": 1], name: "total_spend"),
      ]),
    CollectionSchema(
      name: Collections.orders,
      validator: object(
        required: ["order_no", "lead_id", "total", "amount", "currency", "ordered_at"],
        [
          "order_no": ["bsonType": "string"], "lead_id": ["bsonType": "objectId"], "total": ["bsonType": "number"],
          "amount": ["bsonType": "number"], "currency": ["bsonType": "string"], "ordered_at": ["bsonType": "date"],
          "items": ["bsonType": "array"],
        ]),
      indexes: [
        IndexModel(keys: ["order_no": 1], name: "order_no_unique", unique: true),
        IndexModel(keys: ["lead_id": 1, "ordered_at": -1, "amount": 1], name: "lead_dates_amounts"),
        IndexModel(keys: ["ordered_at": 1, "lead_id": 1, "amount": 1], name: "dates_leads_amounts"),
      ],
      supersededIndexes: ["lead_orders"]),
    CollectionSchema(
      name: Collections.segments,
      validator: object(
        required: ["name", "rule_ast", "timezone", "created_at"],
        ["name": ["bsonType": "string"], "rule_ast": ["bsonType": "object"], "timezone": ["bsonType": "string"]]),
      indexes: [IndexModel(keys: ["created_at": -1], name: "newest")]),
    CollectionSchema(
      name: Collections.campaigns,
      validator: object(
        required: ["name", "segment_id", "message_template", "channel", "status", "created_at"],
        [
          "name": ["bsonType": "string"], "segment_id": ["bsonType": "objectId"],
          "message_template": ["bsonType": "string"], "channel": ["enum": ["whatsapp", "sms", "email"]],
          "status": [
            "enum": ["DRAFT", "SCHEDULED", "RUNNING", "PAUSED", "COMPLETED", "CANCELLED", "FAILED"]
          ],
        ]),
      indexes: [
        IndexModel(keys: ["status": 1, "created_at": -1], name: "status_newest"),
        IndexModel(keys: ["segment_id": 1], name: "segment"),
      ]),
    CollectionSchema(
      name: Collections.campaignRuns,
      validator: object(
        required: ["campaign_id", "state", "epoch", "created_at"],
        [
          "campaign_id": ["bsonType": "objectId"], "state": ["bsonType": "string"], "epoch": ["bsonType": "number"],
          "audience": ["bsonType": "number"],
        ]),
      indexes: [
        IndexModel(keys: ["campaign_id": 1, "created_at": -1], name: "campaign_newest"),
        IndexModel(keys: ["state": 1], name: "state"),
      ]),
    CollectionSchema(
      name: Collections.runStats, validator: object(required: ["run_id"], ["run_id": ["bsonType": "binData"]]),
      indexes: []),
    CollectionSchema(
      name: Collections.audienceChunks,
      validator: object(
        required: ["run_id", "sequence", "origin", "lead_ids", "expanded"],
        [
          "run_id": ["bsonType": "binData"], "sequence": ["bsonType": "number"],
          "origin": ["enum": ["rule", "manual"]],
          "lead_ids": ["bsonType": "array", "minItems": 1, "maxItems": 1000, "items": ["bsonType": "objectId"]],
          "expanded": ["bsonType": "bool"],
        ]),
      indexes: [
        IndexModel(keys: ["run_id": 1, "sequence": 1], name: "run_sequence", unique: true),
        IndexModel(keys: ["run_id": 1, "first_lead_id": 1], name: "run_first_lead"),
        IndexModel(keys: ["ask_at": 1], name: "ask_due", partialFilter: ["ask_at": ["$exists": true]]),
      ]),
    CollectionSchema(
      name: Collections.communicationLogs,
      validator: object(
        required: ["campaign_id", "run_id", "lead_id", "channel", "status", "rank", "attempt"],
        [
          "campaign_id": ["bsonType": "objectId"], "run_id": ["bsonType": "binData"],
          "lead_id": ["bsonType": "objectId"], "status": ["bsonType": "string"], "rank": ["bsonType": "number"],
        ]),
      indexes: [
        IndexModel(keys: ["run_id": 1, "_id": 1], name: "run"),
        IndexModel(keys: ["lead_id": 1, "campaign_id": 1], name: "lead_campaigns"),
        IndexModel(
          keys: ["retry_at": 1], name: "retry_due", partialFilter: ["retry_at": ["$exists": true]]),
        IndexModel(keys: ["ask_at": 1], name: "ask_due", partialFilter: ["ask_at": ["$exists": true]]),
      ]),
    CollectionSchema(
      name: Collections.testSends,
      validator: object(
        required: ["campaign_id", "lead_id", "channel", "to", "message", "status", "rank", "created_at"],
        [
          "campaign_id": ["bsonType": "objectId"], "lead_id": ["bsonType": "objectId"],
          "status": ["bsonType": "string"], "rank": ["bsonType": "number"], "created_at": ["bsonType": "date"],
        ]),
      indexes: [
        IndexModel(keys: ["campaign_id": 1, "created_at": -1], name: "campaign_newest"),
        IndexModel(keys: ["created_at": 1], name: "expiry", expireAfterSeconds: 30 * 86_400),
      ]),
    CollectionSchema(
      name: Collections.parkedReceipts, validator: object(required: ["send_id", "parked_at"], [:]),
      indexes: [
        IndexModel(keys: ["send_id": 1], name: "send"),
        IndexModel(keys: ["next_at": 1], name: "due"),
        IndexModel(keys: ["parked_at": 1], name: "expiry", expireAfterSeconds: 7 * 86_400),
      ]),
    CollectionSchema(
      name: Collections.jobs,
      validator: object(required: ["kind", "state", "created_at"], ["kind": ["bsonType": "string"]]),
      indexes: [IndexModel(keys: ["created_at": 1], name: "expiry", expireAfterSeconds: 30 * 86_400)]),
    CollectionSchema(
      name: Collections.jobErrors, validator: object(required: ["job_id", "row"], [:]),
      indexes: [
        IndexModel(keys: ["job_id": 1, "row": 1], name: "job_row"),
        IndexModel(keys: ["created_at": 1], name: "expiry", expireAfterSeconds: 30 * 86_400),
      ]),
    CollectionSchema(
      name: Collections.deadLetters,
      validator: object(
        required: ["topic", "error_class", "state", "failed_at"],
        ["topic": ["bsonType": "string"], "state": ["enum": ["new", "replayed", "discarded"]]]),
      indexes: [
        IndexModel(keys: ["state": 1, "failed_at": -1], name: "state_newest"),
        IndexModel(keys: ["topic": 1, "failed_at": -1], name: "topic_newest"),
      ]),
    CollectionSchema(name: Collections.users, validator: object(required: [], [:]), indexes: []),
    CollectionSchema(
      name: Collections.apiKeys,
      validator: object(
        required: ["name", "prefix", "digest", "role", "created_by", "created_at"],
        [
          "name": ["bsonType": "string"], "prefix": ["bsonType": "string"], "digest": ["bsonType": "binData"],
          "role": ["enum": .array(Role.allCases.map { .string($0.rawValue) })], "scopes": ["bsonType": "array"],
          "created_at": ["bsonType": "date"], "expires_at": ["bsonType": "date"], "revoked_at": ["bsonType": "date"],
          "last_used_at": ["bsonType": "date"],
        ]),
      indexes: [
        IndexModel(keys: ["prefix": 1], name: "prefix_unique", unique: true),
        IndexModel(keys: ["role": 1], name: "role"),
      ]),
    CollectionSchema(
      name: Collections.revokedTokens,
      validator: object(required: ["expires_at"], ["expires_at": ["bsonType": "date"]]),
      indexes: [IndexModel(keys: ["expires_at": 1], name: "expiry", expireAfterSeconds: 0)]),
    CollectionSchema(
      name: Collections.auditLog,
      validator: object(
        required: ["at", "actor", "action", "outcome"],
        [
          "at": ["bsonType": "date"], "actor": ["bsonType": "string"], "action": ["bsonType": "string"],
          "outcome": ["enum": .array(AuditOutcome.allCases.map { .string($0.rawValue) })],
          "before": ["bsonType": "object"], "after": ["bsonType": "object"],
        ]),
      indexes: [
        IndexModel(keys: ["at": -1, "_id": -1], name: "newest"),
        IndexModel(keys: ["actor": 1, "at": -1], name: "actor_newest"),
        IndexModel(keys: ["action": 1, "at": -1], name: "action_newest"),
        IndexModel(keys: ["resource": 1, "resource_id": 1, "at": -1], name: "resource_newest"),
        IndexModel(keys: ["expires_at": 1], name: "expiry", expireAfterSeconds: 0),
      ]),
    CollectionSchema(
      name: Collections.idempotencyKeys, validator: object(required: ["fingerprint", "expires_at"], [:]),
      indexes: [IndexModel(keys: ["expires_at": 1], name: "expiry", expireAfterSeconds: 0)]),
    CollectionSchema(name: Collections.leases, validator: object(required: ["owner", "until"], [:]), indexes: []),
    CollectionSchema(name: Collections.migrations, validator: object(required: ["complete"], [:]), indexes: []),
    CollectionSchema(name: Collections.rateLimits, validator: object(required: [], [:]), indexes: []),
  ]

  private static func object(required: [BSONValue], _ properties: BSONDocument) -> BSONDocument {
    var schema: BSONDocument = ["bsonType": "object"]
    if !required.isEmpty { schema.append("required", .array(required)) }
    if !properties.isEmpty { schema.append("properties", document: properties) }
    return ["$jsonSchema": .document(schema)]
  }
}
