"""One file per question: how much does it cost compared with the minimum necessary work?"""
