"""`huisstijl doctor`: looks at everything an installation stands on, and says how to mend what is not as it should be.

It changes nothing, except that it writes one probe file into the artifact store and takes it away again.
"""
