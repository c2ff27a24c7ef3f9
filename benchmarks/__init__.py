"""One file a question: what does it cost over the least anybody has to do?"""
