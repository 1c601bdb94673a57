sourced_value=42
sourced() { echo "sourced $1 $sourced_value"; }
