; An empty IDT: #UD cannot be delivered, nor the #GP that this makes, nor the #DF.
%include "fault.inc"
%include "tables.inc"

fault   0, "triple-fault", "UD2 with an empty IDT: the CPU shuts down", fatal
        idt_limit 0
        ud2
        done
