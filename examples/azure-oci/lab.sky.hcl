# What Terraform cannot say: a service behind a host, and what must hold.

service "database" {
  host = oci_core_instance.db
  tcp  = var.database_port
  to   = "127.0.0.1:5432" # without a listener a labelled test echo answers
}

expect "every app server reaches the database" {
  from     = azurerm_linux_virtual_machine.app
  to       = oci_core_instance.db
  tcp      = var.database_port
  survives = 1

  # Between gateway and MSEE it may take a minute, whatever BFD does on the circuit.
  within = {
    link    = "2s"
    router  = "90s"
    gateway = "90s"
  }
}

expect "the database does not open connections to the app tier's SSH" {
  from      = oci_core_instance.db
  to        = azurerm_linux_virtual_machine.app[0]
  tcp       = 22
  reachable = false
}
