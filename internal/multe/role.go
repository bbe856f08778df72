package multe

// Role is what a person of the back office is there for. The strings are stored.
type Role string

const (
	RoleAgente         Role = "agente"         // sees the slips of the street, annuls nothing
	RoleAddetto        Role = "addetto"        // records verbali, prints, imports owners
	RoleResponsabile   Role = "responsabile"   // all that, and annuls, approves, gives up codes
	RoleContabile      Role = "contabile"      // payments, flows, refunds, accounts
	RoleAmministratore Role = "amministratore" // operators, devices, settings; no verbale is theirs to write
	RoleSolaLettura    Role = "sola-lettura"   // sees, with personal data masked
)

// Roles are all of them, in the order a form lists them.
var Roles = []Role{RoleAgente, RoleAddetto, RoleResponsabile, RoleContabile, RoleAmministratore, RoleSolaLettura}

// Permission is one thing that an operator may do. Reading without personal data
// needs none.
type Permission string

const (
	MaySeePersonal   Permission = "personal.see"    // plates, owners and photos, unmasked; every look is logged
	MayRecord        Permission = "verbale.record"  // finalise, correct, notify, ricorso, owners
	MayCancel        Permission = "verbale.cancel"  // ask for an annulment, undo it
	MayApprove       Permission = "verbale.approve" // be the second to say yes
	MayPrint         Permission = "print"           // jobs, reprints
	MayHandleMoney   Permission = "money"           // refunds, accounts, closing work items about money
	MayExport        Permission = "export"          // lists of acts with personal data
	MayHandleCodes   Permission = "codes"           // void, orphans, lists for the portal
	MayHandleTrouble Permission = "trouble"         // work items, messages of the platform and their replay
	MayManageDevices Permission = "devices"         // enrol, revoke, write to them
	MayManage        Permission = "manage"          // operators, settings, documents, webhooks
	MaySeeAudit      Permission = "audit.see"
)

// Permissions are all of them.
var Permissions = []Permission{MaySeePersonal, MayRecord, MayCancel, MayApprove, MayPrint, MayHandleMoney, MayExport,
	MayHandleCodes, MayHandleTrouble, MayManageDevices, MayManage, MaySeeAudit}

var permissions = map[Role][]Permission{
	RoleAgente:         {MaySeePersonal},
	RoleAddetto:        {MaySeePersonal, MayRecord, MayPrint, MayExport, MayHandleTrouble},
	RoleResponsabile:   {MaySeePersonal, MayRecord, MayCancel, MayApprove, MayPrint, MayHandleMoney, MayExport, MayHandleCodes, MayHandleTrouble, MayManageDevices, MaySeeAudit},
	RoleContabile:      {MaySeePersonal, MayHandleMoney, MayExport, MayHandleTrouble},
	RoleAmministratore: {MayHandleCodes, MayHandleTrouble, MayManageDevices, MayManage, MaySeeAudit},
	RoleSolaLettura:    {},
	RoleProgramma:      Permissions,
}

// May reports whether the role is allowed to do p. An unknown role may nothing.
func (r Role) May(p Permission) bool {
	for _, q := range permissions[r] {
		if p == q {
			return true
		}
	}
	return false
}
