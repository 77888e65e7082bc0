//! Models of the lock-free structures, checked by loom: every interleaving of small cases, on the real code. (Those of the buddy
//! tree lie beside it.)
