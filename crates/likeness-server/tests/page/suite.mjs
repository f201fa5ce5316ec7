// All of it, in one process: the machine is small.

import './flows.mjs';
import './people.mjs';
import './docs.mjs';
