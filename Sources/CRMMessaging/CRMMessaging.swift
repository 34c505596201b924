// CRMMessaging
