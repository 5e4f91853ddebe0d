# A run task that asks Headroom's gate before each apply of a workspace.

terraform {
  required_providers {
    tfe = { source = "hashicorp/tfe" }
  }
}

variable "organization" { type = string }
variable "workspace_id" { type = string }

variable "headroom_url" {
  type    = string
  default = "https://headroom.example"
}

# The same text as in adapters.terraform.hmacKey.
variable "hmac_key" {
  type      = string
  sensitive = true
}

resource "tfe_organization_run_task" "headroom" {
  organization = var.organization
  name         = "headroom"
  url          = "${var.headroom_url}/v1/adapters/terraform"
  hmac_key     = var.hmac_key
  enabled      = true
}

resource "tfe_workspace_run_task" "headroom" {
  workspace_id      = var.workspace_id
  task_id           = tfe_organization_run_task.headroom.id
  enforcement_level = "mandatory"
  stages            = ["pre_apply"]
}
