// CRMCore
