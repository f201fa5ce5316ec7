// All of it, in one process: the machine is small.

import './guidance.mjs';
import './flows.mjs';
import './compare.mjs';
import './camera.mjs';
import './people.mjs';
import './captures.mjs';
import './words.mjs';
import './docs.mjs';
